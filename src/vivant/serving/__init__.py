"""Presentations judged over HTTP and WebSocket, and the page that films them."""
