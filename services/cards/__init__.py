"""Cards: issues health cards and keeps the records behind them.

owns      cards, participations, benefit levels
answers   nothing yet
hears     CardRequested, AccountActivated (retired)
tells     CardIssued
"""
