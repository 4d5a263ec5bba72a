"""How long does it take? An endpoint, a region, a leader dies; how long until nothing goes there, until another leads.

python -m bench.health                 everything, about a quarter of an hour; writes bench/results/health.md
python -m bench.health --quick         one round each, to see that it runs

victim.py     an endpoint that can be killed or stopped, as a process
evidence.py   what the access log says of attempts at those that died
deaths.py     endpoints and regions        leaders.py   leaders, by state store        page.py   what is said of it
"""
