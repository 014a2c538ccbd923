#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""usage: tmux capture-pane -e -N -p | capture-svg.py [--title TEXT] >picture.svg

Makes an SVG of what a terminal shows: the same bytes for the same capture, with text that can be selected and searched.
"""
import argparse
import html
import re
import sys
import unicodedata

parser = argparse.ArgumentParser()
parser.add_argument("--title", default="")
args = parser.parse_args()

WIDTH, HEIGHT, MARGIN = 8.4, 17, 12  # of a cell at 14 px, and around
FOREGROUND, BACKGROUND = "#d8dee9", "#1e222a"
COLOURS = ["#3b4252", "#e06c75", "#98c379", "#e5c07b", "#61afef", "#c678dd", "#56b6c2", "#d8dee9"]


def columns(text):
    return sum(2 if unicodedata.east_asian_width(c) in "WF" else 1 for c in text)


class Style:
    """Attributes go on from line to line, as in tmux' captures."""

    def __init__(self):
        self.colour, self.bold, self.dim, self.reverse = None, False, False, False

    def take(self, codes):
        for code in (int(c or 0) for c in codes.split(";")):
            if code == 0:
                self.__init__()
            elif code == 1:
                self.bold = True
            elif code == 2:
                self.dim = True
            elif code == 7:
                self.reverse = True
            elif 30 <= code <= 37:
                self.colour = COLOURS[code - 30]
            elif code == 39:
                self.colour = None

    def draw(self, row, column, text):
        x, y, wide = MARGIN + column * WIDTH, MARGIN + row * HEIGHT, columns(text) * WIDTH
        colour = self.colour or FOREGROUND
        out = ""
        if self.reverse:
            out = '<rect x="%.1f" y="%.1f" width="%.1f" height="%d" fill="%s"/>\n' % (x, y, wide, HEIGHT, colour)
            colour = BACKGROUND
        if text.strip():
            marks = ' font-weight="bold"' * self.bold + ' opacity="0.65"' * self.dim
            out += '<text x="%.1f" y="%.1f" fill="%s" textLength="%.1f"%s>%s</text>\n' % (x, y + HEIGHT - 4, colour, wide, marks, html.escape(text))
        return out


def main():
    lines = sys.stdin.read().rstrip("\n").split("\n")
    style, body, widest = Style(), "", 0
    for row, line in enumerate(lines):
        column = 0
        for part in re.split(r"(\x1b\[[0-9;]*m)", line):
            if part.startswith("\x1b["):
                style.take(part[2:-1])
                continue
            part = "".join(c for c in part if c.isprintable())
            # Runs of blanks between texts are no text: what is left of them is where the next one begins.
            for piece in re.split(r"(  +)", part) if not style.reverse else [part]:
                if piece:
                    body += style.draw(row, column, piece)
                    column += columns(piece)
        widest = max(widest, column)
    width, height = widest * WIDTH + 2 * MARGIN, len(lines) * HEIGHT + 2 * MARGIN
    print("<!-- SPDX-License-Identifier: Apache-2.0 -->")
    print('<svg xmlns="http://www.w3.org/2000/svg" width="%.0f" height="%d" viewBox="0 0 %.0f %d" font-family="monospace" font-size="14" '
          'xml:space="preserve">' % (width, height, width, height))
    if args.title:
        print("<title>%s</title>" % html.escape(args.title))
    print('<rect width="100%%" height="100%%" rx="6" fill="%s"/>' % BACKGROUND)
    print(body + "</svg>")


main()
