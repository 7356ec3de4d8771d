"""A sweep as one page that can be looked into: sweep.html, made of what its directory and its runs hold."""

from runner.sweep.page.html import write_page

__all__ = ["write_page"]
