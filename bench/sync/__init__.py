"""How fast does data reach the other region? Tidegate beside products that replicate, two regions each, one machine.

python -m bench.sync                       everything, some minutes; writes bench/results/sync.md
python -m bench.sync --quick               few documents, one round: to see that it runs, not to be believed
python -m bench.sync --only Tidegate,Redis --sections batches,lag

documents.py   what is written, and how it is known again        client.py      what a product's client can do
products/      the products: how two regions are started, how their clients speak
loads.py       writers and the observer, as processes            relay.py       counts bytes between two regions
sections.py    what is measured, and its proof                   family.py      what a tree of processes costs
judging.py     what was promised, and was it kept                page.py        what is said of it
"""
