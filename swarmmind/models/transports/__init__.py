"""Ways to carry bytes to an endpoint: aiohttp (the default), the user's own httpx client, the openai SDK."""
