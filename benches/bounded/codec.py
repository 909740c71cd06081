"""What races."""


class Codec:
    """A name, both directions over an array, and what it takes."""

    def __init__(self, name, encode, decode, takes=lambda a: True):
        self.name, self.encode, self.decode, self.takes = name, encode, decode, takes
