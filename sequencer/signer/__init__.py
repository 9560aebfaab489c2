"""Keys: where they rest, and the one object that signs with them. Key bytes never leave this package."""
