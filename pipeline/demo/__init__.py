"""The demonstration: footage with a planted truth, driven through the whole system."""
