"""Grafana dashboards as data: ``boards`` says what is asked, ``words`` says it in two languages, ``build`` writes the JSON."""
