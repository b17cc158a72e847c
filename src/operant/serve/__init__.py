"""A checkpoint behind an OpenAI-compatible server, a reward model behind OpenRLHF's /get_reward. Extra: serve.

command: `operant serve`    app: the routes    requests: what a body may say, all else refused
model: the model's side of a request    replies: what goes back    reward: /get_reward
"""
