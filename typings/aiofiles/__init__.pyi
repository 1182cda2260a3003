from aiofiles.threadpool import open as open

__all__ = ["open"]
