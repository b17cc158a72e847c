"""Methods of the family `loop`: rounds of a model's own answers, judged or filtered, and learnt from."""
