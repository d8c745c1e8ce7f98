"""Building blocks of the views; they show what they are given and know no model of the session."""
