"""Drives a machine, for any wire: what adapters with an event loop share, and the loop for servers that block.

`blocking` needs nothing but the standard library, and is for others: docs/drivers.md. The rest needs anyio, aiofiles.
"""
