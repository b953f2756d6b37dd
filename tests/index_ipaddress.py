"""Looks up addresses with Python's ipaddress and compares with what the index found.

usage: index_ipaddress.py TABLE FOUND
TABLE: one registration a line, `number,first,last`. FOUND: one address a line, `address,numbers` with `;` between, most
specific first, equal sizes in order of number. Written and run by `cargo test --test index -- --ignored ipaddress`.
"""

import ipaddress
import sys

table = []
for line in open(sys.argv[1]):
    number, first, last = line.strip().split(",")
    first, last = ipaddress.ip_address(first), ipaddress.ip_address(last)
    networks = list(ipaddress.summarize_address_range(first, last))
    table.append((sum(network.num_addresses for network in networks), int(number), networks))
table.sort(key=lambda row: row[:2])

lines = 0
for line in open(sys.argv[2]):
    text, found = line.rstrip("\n").split(",")
    address = ipaddress.ip_address(text)
    expected = ";".join(str(number) for _, number, networks in table if any(address in network for network in networks))
    if found != expected:
        sys.exit(f"{text}: index {found!r}, ipaddress {expected!r}")
    lines += 1
print(f"{len(table)} registrations, {lines} addresses, 0 differences")
