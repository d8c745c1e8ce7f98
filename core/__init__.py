"""Headless core of Pushscope: protocols, clients, load, measuring, reports.

Imports neither ``server`` nor ``gui``; needs no screen.
"""
