"""The lab: scenes, answers and continuations with a warm model in a process of its own."""
