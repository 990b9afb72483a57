"""The page that an index shows of this distribution: README.md, whose relative links would lead nowhere there.

`YBTOKEN_REPOSITORY=https://host/owner/name` at the build says where the repository can be read; the release workflow
states it. Links then lead to the files of the release's tag, and the metadata names the repository. Without an address,
the words of a relative link stay and the link goes.
"""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Any

from hatchling.metadata.plugin.interface import MetadataHookInterface

_LINK = re.compile(r"(?<!!)\[([^\]]*)\]\((?![a-z]+:|#)([^)\s]+)\)")


def absolute(page: str, base: str | None) -> str:
    """The page with its relative links led to `base`, or without them."""
    return _LINK.sub(lambda link: f"[{link[1]}]({base}/{link[2]})" if base else link[1], page)


class PageHook(MetadataHookInterface):
    """Sets `readme` and `urls`, which an sdist keeps: a wheel that is built from one has the same."""

    def update(self, metadata: dict[str, Any]) -> None:
        repository = os.environ.get("YBTOKEN_REPOSITORY", "").rstrip("/")
        tag = f"{repository}/blob/v{metadata['version']}" if repository else None
        if "readme" not in metadata:
            page = (Path(self.root) / "README.md").read_text(encoding="utf-8")
            metadata["readme"] = {"content-type": "text/markdown", "text": absolute(page, tag)}
        if "urls" not in metadata:
            urls = {"Homepage": "https://pypi.org/project/ybtoken/"}
            if tag:
                urls |= {
                    "Repository": repository,
                    "Documentation": f"{tag}/docs/index.md",
                    "Changelog": f"{tag}/CHANGELOG.md",
                    "Issues": f"{repository}/issues",
                }
            metadata["urls"] = urls
