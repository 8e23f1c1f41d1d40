"""The device as software sees it: registers, descriptors, completions, and a behavioural twin of the RTL."""
