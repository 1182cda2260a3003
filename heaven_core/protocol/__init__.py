"""What the machine and a driver say to each other: events, needs, outcomes. Each of them is in `heaven_core`, too."""
