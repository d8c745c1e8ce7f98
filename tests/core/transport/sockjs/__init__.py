"""Tests of the SockJS carriers."""
