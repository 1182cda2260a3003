"""The state machine between a response and its driver. For the library itself: `Machine` is in `heaven_core`."""
