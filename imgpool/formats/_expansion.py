"""The most bytes into which codecs can expand one byte, for those that have such a bound.

Zstandard, LZMA, WebP, JPEG XL and CCITT fax have none that is worth checking: a valid blank image can have any size.
"""

MAX_DEFLATE_RATIO = 1032
"""A match of 258 bytes takes at least two bits."""

MAX_PACKBITS_RATIO = 64
"""A run of 128 bytes takes two bytes."""

MAX_LZW_RATIO = 3641
"""A code of at least 9 bits stands for at most 4,096 bytes (TIFF)."""

MAX_GIF_RATIO = 10_923
"""A code of at least 3 bits stands for at most 4,096 pixels (GIF's LZW)."""
