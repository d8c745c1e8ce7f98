"""A message inside the server: headers, framing, refusals, and the counts and stages of its way."""
