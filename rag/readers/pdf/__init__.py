"""PDF, with optical character recognition for scanned pages."""
