"""The simulated host: its timeline, processors, memory behind an IOMMU, and the world that ties them to a device."""
