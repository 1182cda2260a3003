"""What the adapters share of I/O. Private to them: each module does one thing.

`opening`, `listing`, `real_disk`, `blocking`, `blocking_streams`, `steps`, `threads`, `runtime`, `reporting` and
`telling` block and need nothing but the standard library; what a server of one's own needs of them is public in
`heaven_driver.blocking`. The others need anyio, and `files`, on asyncio, aiofiles.
"""
