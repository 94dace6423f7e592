"""`cityhub identity`: how records become subjects, and what people say about the doubtful ones."""

from __future__ import annotations

import typer

from orchestration.cli import identity_review

identity_app = typer.Typer(no_args_is_help=True, help="Records and subjects: linkage, review, repairs.")
identity_app.add_typer(identity_review.review_app, name="review")
