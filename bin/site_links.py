"""Hook of mkdocs: links to files outside docs/ lead to the repository."""

import re


def on_page_markdown(markdown, page, config, files):
    return re.sub(r"\]\(\.\./", f"]({config['repo_url']}/blob/main/", markdown)
