"""What the machine and a driver say to each other: events, needs, outcomes. All of it is in `heaven_core`, too."""
