"""`make demo`: a cluster, Stint in it, and one session to its answer; `make demo-down` removes all of it.

demo.py ── story.py ──┬── choice.py     on which cluster, or why on none; pure
                      ├── clusters.py   starting, loading images, removing: one class for each sort of cluster
                      ├── tools.py      kubectl and helm
                      └── record.py     what the demo made, so that it removes that and nothing else
"""
