"""EDGE datasets for a sample: telemetry, forecasts, Boffers, targets and POST envelopes.

| file | content |
|---|---|
| ``edge/post-envelope.json`` | POST envelopes of all NMIs (Part C §6.3) |
| ``edge/ID/telemetry/part-N.parquet`` | 1-minute telemetry of an aggregator's NMIs (§4.3) |
| ``edge/ID/telemetry-one-nmi.json`` | the first NMI's telemetry as a document |
| ``edge/ID/forecast/part-N.parquet`` | uncontrolled forecasts, 5 minutes (§5.3) |
| ``edge/ID/boffer.json`` | the DUID Boffer, 576 intervals (HLD §4.1) |
| ``edge/ID/nmi-boffers.ndjson`` | PRE Boffers of a few NMIs (§3.3) |
| ``edge/ID/dispatch.ndjson`` | dispatch instructions for the DUID |

Source: Part C, HLD §4 and Appendices E to G for the shape of a portfolio's Boffer.
"""
