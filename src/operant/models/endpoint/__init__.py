"""Models behind somebody else's server. Nothing here loads torch; httpx2 is imported with the first request.

http: JSON over POST that tries again and never hangs    client: an OpenAI-compatible server, with a cache on disk
policy: such a model as a Generator    scoring: log-probabilities of given answers, where the server gives them
asking: conversations in, replies out: all that a judge needs
"""

from operant.models.endpoint.policy import ENDPOINT, Endpoint

__all__ = ["ENDPOINT", "Endpoint"]
