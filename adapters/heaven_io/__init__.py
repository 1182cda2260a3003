"""What the adapters share of I/O. Private to them: import the modules, each of which does one thing.

`opening`, `runtime`, `reporting` and `steps` block and need nothing but the standard library; `batches`, `deferred`,
`detached` and `files` need anyio, and `files` on asyncio aiofiles.
"""
