"""What handlers touch: request, response, context. For the library itself: what others need is in `heaven_core`."""
