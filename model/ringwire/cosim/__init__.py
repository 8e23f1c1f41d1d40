"""The bridge to a simulator: building the RTL with its simulated world, running jobs in it, and the world they see."""
