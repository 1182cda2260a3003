"""The rules of HTTP as pure functions. For the library itself: what others need is in `heaven_core`."""
