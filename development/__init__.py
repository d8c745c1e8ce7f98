"""What developing needs: the chores of dev.py, and how the checkout becomes an installable package."""
