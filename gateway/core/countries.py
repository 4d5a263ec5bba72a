"""Where is a country? One point each, near where its people are or its middle, in whole or half degrees.

Coarse on purpose: it orders regions for a client of whom only the country is known. ISO 3166-1 alpha-2 codes.
"""

from __future__ import annotations

from typing import Final

from gateway.core.geography import Point

_TABLE = """
AD 42.5 1.5|AE 24 54|AF 33 65|AG 17 -61.8|AI 18.2 -63|AL 41 20|AM 40 45|AO -12.5 18.5|AQ -90 0|AR -34 -64
AS -14.3 -170.7|AT 47.5 14|AU -33 146|AW 12.5 -70|AX 60.2 20|AZ 40.5 47.5|BA 44 18|BB 13.2 -59.5|BD 24 90|BE 50.8 4.5
BF 13 -2|BG 43 25|BH 26 50.5|BI -3.5 30|BJ 9.5 2.2|BL 17.9 -62.8|BM 32.3 -64.7|BN 4.5 114.7|BO -17 -65|BQ 12.2 -68.3
BR -18 -48|BS 24 -76|BT 27.5 90.5|BV -54.4 3.4|BW -22 24|BY 53 28|BZ 17.2 -88.7|CA 46 -77|CC -12.5 96.8|CD -2.5 23.5
CF 7 21|CG -1 15|CH 47 8|CI 8 -5|CK -21.2 -159.8|CL -32 -71|CM 6 12|CN 33 110|CO 4 -73|CR 10 -84|CU 22 -80|CV 15 -24
CW 12.2 -69|CX -10.5 105.7|CY 35 33|CZ 49.8 15.5|DE 51 9|DJ 11.5 43|DK 56 10|DM 15.4 -61.3|DO 19 -70.7|DZ 34 3
EC -1.5 -79|EE 59 26|EG 29 31|EH 24.5 -13|ER 15 39|ES 40 -4|ET 8 38|FI 61 25|FJ -18 178|FK -51.7 -59|FM 6.9 158.2
FO 62 -7|FR 47 2|GA -1 11.7|GB 52 -1.5|GD 12.1 -61.7|GE 42 43.5|GF 4 -53|GG 49.5 -2.6|GH 8 -1|GI 36.1 -5.3|GL 66 -48
GM 13.5 -15.5|GN 11 -10|GP 16.2 -61.6|GQ 2 10|GR 39 22|GS -54.5 -37|GT 15.5 -90.2|GU 13.5 144.8|GW 12 -15|GY 5 -59
HK 22.3 114.2|HM -53 73.5|HN 15 -86.5|HR 45.2 15.5|HT 19 -72.4|HU 47 20|ID -6.5 108|IE 53 -7.5|IL 31.8 34.8
IM 54.2 -4.5|IN 21 78|IO -6 71.5|IQ 33 44|IR 33 52|IS 65 -18|IT 43 12|JE 49.2 -2.1|JM 18.2 -77.5|JO 31 36|JP 36 138
KE -0.5 37.5|KG 41 75|KH 12.5 105|KI 1.4 173|KM -12.2 44.2|KN 17.3 -62.7|KP 40 127|KR 37 127.5|KW 29.3 47.7
KY 19.3 -81.3|KZ 47 70|LA 18 105|LB 33.9 35.8|LC 13.9 -61|LI 47.2 9.5|LK 7 81|LR 6.5 -9.5|LS -29.5 28.5|LT 56 24
LU 49.7 6.2|LV 57 25|LY 31 15|MA 33 -6.5|MC 43.7 7.4|MD 47 29|ME 42.5 19.3|MF 18.1 -63.1|MG -19.5 47|MH 7.1 171.2
MK 41.6 21.7|ML 14 -5|MM 20 96|MN 47.5 106|MO 22.2 113.5|MP 15.2 145.7|MQ 14.6 -61|MR 19 -13|MS 16.7 -62.2
MT 35.9 14.4|MU -20.3 57.5|MV 4 73.5|MW -14 34|MX 21 -101|MY 3.5 102|MZ -18 35.5|NA -22 17|NC -21.5 165.5|NE 14 6
NF -29 168|NG 8 7|NI 12.5 -86|NL 52.2 5|NO 60.5 9.5|NP 28 84|NR -0.5 166.9|NU -19 -169.9|NZ -39 175.5|OM 22.5 57.5
PA 8.8 -80|PE -11 -76.5|PF -17.6 -149.5|PG -6.5 146|PH 13.5 122|PK 31 71|PL 52 19.5|PM 46.8 -56.3|PN -25 -130
PR 18.3 -66.5|PS 32 35.2|PT 39.5 -8.5|PW 7.4 134.5|PY -25 -57.3|QA 25.4 51.3|RE -21.1 55.5|RO 45.5 25.5|RS 44 21
RU 55.5 42|RW -2 30|SA 24 45|SB -9 160|SC -4.6 55.5|SD 15 32.5|SE 59 16|SG 1.3 103.8|SH -16 -5.7|SI 46.1 14.8|SJ 78 16
SK 48.7 19.5|SL 8.5 -12|SM 43.9 12.4|SN 14.5 -16|SO 4 46|SR 5 -55.5|SS 6 31|ST 0.3 6.7|SV 13.8 -89|SX 18 -63.1
SY 34.5 37.5|SZ -26.5 31.5|TC 21.8 -71.8|TD 12.5 16|TF -49.3 69.5|TG 7 1.2|TH 14.5 101|TJ 38.5 69.5|TK -9 -171.8
TL -8.8 126|TM 39 58|TN 36 10|TO -21.2 -175.2|TR 39.5 33|TT 10.5 -61.3|TV -8.5 179.2|TW 24.5 121|TZ -6 36|UA 49.5 31
UG 1 32|UM 19.3 166.6|US 39 -93|UY -34 -56|UZ 40.5 67|VA 41.9 12.5|VC 13.2 -61.2|VE 9.5 -67.5|VG 18.4 -64.6
VI 18.1 -64.9|VN 16 107|VU -16.5 168|WF -13.3 -176.2|WS -13.8 -172|XK 42.6 20.9|YE 14.5 45|YT -12.8 45.2|ZA -27 27
ZM -14 28|ZW -18.5 30
"""


def _read(table: str) -> dict[str, Point]:
    countries = {}
    for entry in table.replace("\n", "|").split("|"):
        if entry:
            code, latitude, longitude = entry.split(" ")
            countries[code] = Point(float(latitude), float(longitude))
    return countries


COUNTRIES: Final = _read(_TABLE)
