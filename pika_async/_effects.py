"""The effects of Pika's models, as several providers offer them. Pure."""

from __future__ import annotations

_NAMES = """Bald Me, Looong Hair, Squish, Poke, Cake-ify, Baby Me, Inflate, Explode, Peel, Epic Me, Crush, \
Melt, Decapitate, Crumble, Ta-da, Princess Me, Warrior Me, Dissolve, Hero Me, Museum Me, Levitate, Deflate, \
Fairytale Me, Mrs Me, Eye-pop, VIP Me, Jungle Me, Puppy Me, Classy Me, Tear, Leprechaun Me, Royal Me, \
Captain Me, Rose, Mona Me, Zen Me, Cupid Strike, Hearts Bouquet, Love Bomb, Proposal, Crazy in Love"""

_NEWER = """90s Me, Action Me, Arcade Winner, Balloonify it, CCTV Me, Choco Me, Clown Fit, Doom Stroll, \
Eat a Rat, Everythings Bonsai, Eyes Zoom in, Goth Dream, Hazmat Fit, Human Pet, Labubu Style, Lo-Fi Me, \
Magic Polaroid, Make it Real, Pick Me, Tarot Transform, Yarn Charm"""
_OF_VIDEOS = """Pink Hair, Its Computer, Its Alive, Duplicate it, Wizard Cat, Anime Cat, Cute Shroom, \
Happy Asteroid, Swan Head"""

IMAGE_EFFECTS = tuple(_NAMES.split(", "))
"""Those for an image. No list is closed: a new name works before it stands here."""
NEWER_EFFECTS = tuple(_NEWER.split(", "))
"""Those for an image that Pika's own API alone has so far."""
VIDEO_EFFECTS = tuple(_OF_VIDEOS.split(", "))
"""Those for a video; AceData documents the first five."""
