"""Routes, hooks, and the way of a request through them. For the library itself: `App` is in `heaven_core`."""
