"""F4, the operators' door: api.py is REST over Operations, answers.py how it says yes and no, guard.py who may not ask,
stream.py the live events."""
