"""Experiments: a file that says link, NIC, driver, qdisc and traffic, and what is measured when it runs."""
