"""The command `heaven-core`."""
