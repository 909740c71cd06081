"""What single tests have done in a process of their own, by name. See child.py."""
