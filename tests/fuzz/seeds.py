#!/usr/bin/env python3
"""Writes the seeds of the corpus: real files of the project, and hard cases of each format.

    pip install pyarrow==26.0.1 && tests/fuzz/seeds.py

Names that begin with `regression-` are inputs that once broke something. What fuzzing added stands beside them, named
`found-…`; this script leaves that alone.
"""

import datetime
import gzip
import io
import json
import pathlib
import struct

import pyarrow as pa
import pyarrow.parquet as pq

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parent.parent
CORPUS = HERE / "corpus"

HEADER = "created_at,tweet_id,event,label,text\n"
# The prediction that sluice_fuzz::product knows.
KNOWN = "01m3250v000000000100000001"
ROW = "2012-10-28T00:00:0{0}Z,{0},sandy,{1},{2}\n"


def seed(target: str, name: str, content: bytes | str) -> None:
    folder = CORPUS / target
    folder.mkdir(parents=True, exist_ok=True)
    (folder / name).write_bytes(content.encode() if isinstance(content, str) else content)


def copies() -> None:
    for path in sorted((ROOT / "shared/azure_functions/tests/data").glob("*.json")):
        seed("envelope", path.stem, path.read_bytes())
    seed("host_json", "shipped", (ROOT / "host.json").read_bytes())
    for path in sorted((ROOT / "handlers").glob("*/function.json")):
        text = path.read_text()
        for name in ("RETRAIN", "MONITOR", "RECONCILE"):
            text = text.replace(f"%{name}_SCHEDULE%", "%SCHEDULE%")
        seed("function_json", path.parent.name, text)
    seed("sluice_toml", "shipped", (ROOT / "sluice.toml").read_bytes())


def envelopes() -> None:
    double = json.dumps(json.dumps({"Schedule": {"AdjustForDST": True}, "IsPastDue": True}))
    seed("envelope", "double_encoded_timer", f'{{"Data":{{"timer":{double}}},"Metadata":{{}}}}')
    seed("envelope", "null_parts", '{"Data":null,"Metadata":null}')
    seed("envelope", "array", '[{"Data":{}}]')
    seed("envelope", "long_string", json.dumps({"Data": {"blob": "A" * 3000}, "Metadata": {"Uri": "https://a.b/c/d"}}))
    seed("envelope", "escapes", '{"Data":{"q":"\\"\\\\\\u00e9\\ud83d\\ude00\\""},"Metadata":{"DequeueCount":"5","Id":"x"}}')
    seed("envelope", "lone_surrogate", '{"Data":{"q":"\\ud83d"},"Metadata":{}}')
    seed("envelope", "deep", '{"Data":{"q":' + "[" * 200 + "]" * 200 + "}}")
    seed("envelope", "no_dates", '{"Data":{"t":{"IsPastDue":false,"ScheduleStatus":{"Last":"0001-01-01T00:00:00+00:00","Next":"9999-12-31T23:59:59.9999999+14:00","LastUpdated":"x"}}},"Metadata":{}}')
    seed("envelope", "percent", '{"Data":{},"Metadata":{"Uri":"http://127.0.0.1:10000/acct/c/%ff%41%2F..%2f","name":"\\"x\\""}}')
    seed("envelope", "http_headers", '{"Data":{"req":{"Url":"http://h/api/items/7?x=1#f","Method":"PUT","Headers":{"Content-Type":["application/octet-stream"],"Host":"h","Expect":["100-continue"],"bad name":["x"],"x":["a","b\\n"]},"Body":"AP8="}}}')
    seed("envelope", "http_authority", '{"Data":{"req":{"Url":"h:80","Method":"CONNECT","Body":{"a":[1,null]}}}}')


def schedules() -> None:
    for name, text in {
        "weekly": "0 0 3 * * 1",
        "five_fields": "*/5 * * * *",
        "names": "0 0 0 1 jan-DEC sun,MON",
        "steps": "10-50/7 0/15 8-18/2 */2 2/3 1-5",
        "never": "0 0 0 30 2 *",
        "leap_day_on_a_sunday": "0 0 0 29 2 0",
        "turned_range": "59-0 23-1 5-2 31-1 12-1 6-0",
        "too_large_step": "*/2147483647 * * * * *",
        "minus_step": "*/-1 * * * * *",
        "last_second": "59 59 23 31 12 *",
        "white_space": "\t0  0\n3 *\r* 1 ",
    }.items():
        seed("ncrontab", name, text)


def host_json() -> None:
    handler = '"customHandler":{"description":{"defaultExecutablePath":"app"}}'
    for name, rest in {
        "least": "",
        "profile": ',"configurationProfile":"web-app-custom-handler"',
        "timeout": ',"functionTimeout":"-1","retry":{"strategy":"exponentialBackoff","maxRetryCount":-1,"minimumInterval":"00:00:01","maximumInterval":"1.00:00:00.5"}',
        "numbers": ',"extensions":{"blobs":{"maxDegreeOfParallelism":4294967295,"poisonBlobThreshold":"0"},"HTTP":{"routePrefix":"/a/b/"}}',
        "bundle": ',"extensionBundle":{"id":"x","version":1.5}',
        "duplicate": ',"version":"2.0","VERSION":"3.0"',
    }.items():
        seed("host_json", name, f'{{"version":"2.0",{handler}{rest}}}')
    seed("host_json", "byte_order_mark", b"\xef\xbb\xbf" + f'{{"version":"2.0",{handler}}}'.encode())
    seed("host_json", "handler", '{"version":"2.0","customHandler":{"description":{"defaultExecutablePath":"a","arguments":"[\\"x\\"]","workerArguments":["%P%"],"useStdErrorStreamForErrorsOnly":"false"},"port":65536,"initializationTimeout":"24:00:00","http":{"routes":[{"route":"{*all}"}]}}}')
    seed("host_json", "comments", '// a comment\n{"version":"2.0",/* and one */' + handler + "}")
    seed("host_json", "deep", '{"version":"2.0","x":' + "[" * 300)
    seed("host_json", "invalid_utf8", b'{"version":"2.0","\xff":1}')


def function_json() -> None:
    def http(route: str, more: str = "") -> str:
        return f'{{"bindings":[{{"type":"httpTrigger","direction":"in","name":"req","route":{json.dumps(route)}{more}}},{{"type":"http","direction":"out","name":"$return"}}]}}'

    def trigger(kind: str, more: str) -> str:
        return f'{{"bindings":[{{"type":"{kind}Trigger","direction":"in","name":"t",{more}}}],"disabled":"false"}}'

    seed("function_json", "route", http("items/{id:int}/{name:alpha?}", ',"methods":["get","POST"],"authLevel":"admin"'))
    seed("function_json", "catch_all", http("a/{**rest}"))
    seed("function_json", "route_of_the_host", http("Admin/x"))
    seed("function_json", "broken_route", http("a/{b}c/{"))
    seed("function_json", "blob_path", trigger("blob", '"path":"in/{a}-{b_1}.{c}","source":"EventGrid"'))
    seed("function_json", "blob_container", trigger("blob", '"path":"in","source":"eventgrid"'))
    seed("function_json", "blob_broken", trigger("blob", '"path":"{in}/{a}{b}"'))
    seed("function_json", "interval", trigger("timer", '"schedule":"1.02:03:04.5","useMonitor":"TRUE","runOnStartup":true'))
    seed("function_json", "days", trigger("timer", '"schedule":"10675198"'))
    seed("function_json", "cron", trigger("timer", '"schedule":"*/30 0-59/7 jan * * sun"'))
    seed("function_json", "unset_setting", trigger("timer", '"schedule":"%NOT_SET%"'))
    seed("function_json", "queue", trigger("queue", '"queueName":"q"'))
    seed("function_json", "inout", '{"bindings":[{"type":"blob","direction":"inout","name":"b"}]}')
    seed("function_json", "two_triggers", '{"bindings":[{"type":"timerTrigger","direction":"in","name":"a","schedule":"* * * * *"},{"type":"httpTrigger","direction":"in","name":"A"}]}')
    seed("function_json", "outputs", '\ufeff{"bindings":[{"type":"timerTrigger","direction":"in","name":"t","schedule":"00:00:01"},{"type":"queue","direction":"out","name":"q","dataType":"binary"}],"retry":{"strategy":"FIXEDDELAY","maxRetryCount":4294967295,"delayInterval":"99999999"}}')


def uploads() -> None:
    good = HEADER + ROW.format(1, "other", "all is well") + ROW.format(2, "disaster", "water in the street")
    csv = {
        "good": good,
        "bom_crlf_quotes": "\ufeff" + 'text,"label", tweet_id ,event,created_at,extra\r\n"Grüße, ""Welt""",disaster,7,sandy,1351382403,x\r\n',
        "semicolons": good.replace(",", ";"),
        "tabs": good.replace(",", "\t"),
        "carriage_returns": good.replace("\n", "\r"),
        "ragged": HEADER + "1,2\n" + ROW.format(3, "1", "a,b,c,d"),
        "open_quote": HEADER + ROW.format(1, "1", '"never closed'),
        "line_in_a_field": HEADER + ROW.format(1, "1", '"two\nlines\r\n"""'),
        "nul": HEADER + ROW.format(1, "1", "a\0b"),
        "blank_lines": "\n\r\n" + HEADER + "\n\n" + ROW.format(1, "1", "x") + "\n",
        "header_only": HEADER,
        "repeated_column": "text,text,label,tweet_id,event,created_at\n",
        "missing_column": "text,label\nx,1\n",
        "numbers": "created_at,tweet_id,event,label,text,retweets,score,verified\n"
        + "1351382403000,9223372036854775808,e,1.0,x,1e3,1e999,TRUE\n"
        + "99999999999999999,-0,e,1,y,9007199254740993,nan,0\n"
        + "-1,1e400,e,0,z,1.5,-inf,yes\n",
        "repeats": HEADER + ROW.format(1, "1", "Same  TEXT") + ROW.format(2, "1", "same text") + ROW.format(3, "0", "SAME text") + ROW.format(1, "0", "other"),
        "long_text": HEADER + ROW.format(1, "1", "x" * 201) + ROW.format(2, "1", "y" * 1001),
        "times": HEADER + "".join(f"{time},{i},e,{i % 2},text {i}\n" for i, time in enumerate(["2012-10-28", "2012-10-28 01:02:03", "2012-10-28T01:02:03.123456789+23:59", "1e9", "-9999-01-01T00:00:00Z", "9999-12-31T23:59:59.999999999Z", "1989-12-31T23:59:60Z", "2012-10-28T00:00:00[Europe/Berlin]"])),
        "wrong_share": HEADER + "".join(ROW.format(i % 10, "?", "x") for i in range(101)),
        "only_commas": HEADER + "," * 900 + "\n",
    }
    for name, text in csv.items():
        seed("csv", name, text)
    seed("csv", "invalid_utf8", HEADER.encode() + b"2012-10-28,1,e,1,caf\xe9\n2012-10-28,2,\xff,1,x\n")
    seed("csv", "utf16", good.encode("utf-16"))
    seed("csv", "json_array", '[{"text": "x"}]')
    for name in ("good", "numbers", "repeats"):
        seed("gzip", f"plain_{name}", csv[name])
        seed("gzip", f"packed_{name}", gzip.compress(csv[name].encode(), mtime=0))
    packed = gzip.compress(good.encode(), mtime=0)
    seed("gzip", "truncated", packed[:-9])
    seed("gzip", "wrong_sum", packed[:-8] + b"\0" * 8)
    seed("gzip", "two_members", gzip.compress(HEADER.encode(), mtime=0) + gzip.compress(ROW.format(1, "1", "x").encode(), mtime=0))
    seed("gzip", "rubbish_behind", packed + b"rubbish")
    seed("gzip", "nested", gzip.compress(packed, mtime=0))
    seed("gzip", "bomb", gzip.compress(HEADER.encode() + b"a" * (3 << 20), mtime=0))
    seed("gzip", "lines", gzip.compress(b'{"text":"x"}\n', mtime=0))
    seed("gzip", "empty", gzip.compress(b"", mtime=0))
    header = b"\x1f\x8b\x08\x1f\0\0\0\0\0\xff" + struct.pack("<H", 4) + b"extr" + b"name.csv\0comment\0"
    seed("gzip", "all_header_fields", header + packed[10:])


def json_lines() -> None:
    def line(**more: object) -> str:
        row = {"created_at": "2012-10-28T00:00:01Z", "tweet_id": "1", "event": "sandy", "label": "1", "text": "water"}
        return json.dumps({**row, **more}) + "\n"

    for name, text in {
        "good": line() + line(tweet_id=2, text="fire", label=0),
        "types": line(tweet_id=18446744073709551615, label=1.0, text=True, created_at=1351382403.5, retweets="7", score="1e3", verified=0),
        "wrong_types": line(text=["a"], label={"a": 1}, event=None, retweets=1.5, score="nan", verified="maybe"),
        "huge_numbers": '{"tweet_id":1e400,"retweets":-9223372036854775809,"score":1e-999}\n',
        "twice": '{"text":"a","text":"b"}\n{"text":null,"text":"b"}\n',
        "no_object": "{}\n[1]\n5\n\"x\"\nnull\n{\n",
        "blank_lines": "\n \r\n" + line() + "\n\n",
        "crlf_bom": "\ufeff" + line().replace("\n", "\r\n"),
        "escapes": '{"text":"\\u0000\\ud83d\\ude00 \\u00e9","label":"disaster"}\n{"text":"\\ud83d"}\n{"te\\u0078t":"x"}\n',
        "no_newline": line().rstrip(),
        "two_on_a_line": line().rstrip() + line(),
        "deep": '{"x":' + "[" * 200 + "]" * 200 + "}\n",
        "long": '{"text":"' + "x" * 1100 + '"}\n' + line(text="é" * 201),
        "unknown_keys": line(more={"a": [1, {"b": None}]}),
    }.items():
        seed("json_lines", name, text)
    seed("json_lines", "invalid_utf8", b'{"text":"\xff"}\n{"\xc3":1}\n')


def parquet() -> None:
    moment = datetime.datetime(2012, 10, 28, tzinfo=datetime.timezone.utc)

    def columns(rows: int = 3) -> dict[str, pa.Array]:
        return {
            "created_at": pa.array([moment] * rows, pa.timestamp("us", "UTC")),
            "tweet_id": pa.array([str(i) for i in range(rows)]),
            "event": pa.array(["sandy"] * rows),
            "label": pa.array([i % 2 for i in range(rows)], pa.int32()),
            "text": pa.array([f"text {i}" for i in range(rows)]),
        }

    def write(name: str, columns: dict[str, pa.Array], **options: object) -> None:
        file = io.BytesIO()
        pq.write_table(pa.table(columns), file, **{"compression": "none", "store_schema": False, **options})
        seed("parquet", name, file.getvalue())

    write("plain", columns(), use_dictionary=False, write_statistics=False)
    write("dictionary", columns())
    write("snappy_v2", columns(), compression="snappy", data_page_version="2.0")
    write("zstd", columns(), compression="zstd")
    write("gzip", columns(), compression="gzip")
    write("delta", columns(), use_dictionary=False, column_encoding={"tweet_id": "DELTA_BYTE_ARRAY", "text": "DELTA_LENGTH_BYTE_ARRAY", "label": "DELTA_BINARY_PACKED"})
    write("two_groups", columns(4), row_group_size=2)
    write("no_rows", columns(0))
    write("nulls", {**columns(), "text": pa.array([None, "", "x"]), "retweets": pa.array([None, 1, -1], pa.int8())})
    write("types", {
        **columns(),
        "created_at": pa.array([datetime.date(2012, 10, 28)] * 3),
        "tweet_id": pa.array([2**64 - 1, 0, 7], pa.uint64()),
        "label": pa.array([True, False, True]),
        "text": pa.array([b"\xff", b"abc", b"a\0b"]),
        "score": pa.array([1.5, float("nan"), float("inf")], pa.float32()),
    })
    write("int96", columns(), use_deprecated_int96_timestamps=True)
    write("nested", {**columns(), "score": pa.array([[1.0], None, []]), "retweets": pa.array([{"a": 1}] * 3)})
    # Few bytes, many rows: run lengths and a dictionary.
    many = {name: pa.array([array[0].as_py()] * 30_000, array.type) for name, array in columns(1).items()}
    write("many_rows", many)
    repeated = {**many, "text": pa.array(["x" * 400_000] * 3_000), **{name: many[name][:3_000] for name in many if name != "text"}}
    write("regression-long_text_in_a_dictionary", repeated, compression="zstd", write_statistics=False, dictionary_pagesize_limit=1 << 20)
    whole = (CORPUS / "parquet" / "plain").read_bytes()
    seed("parquet", "truncated", whole[:-20])
    seed("parquet", "footer_too_long", whole[:-8] + struct.pack("<I", 2**31 - 1) + b"PAR1")
    seed("parquet", "encrypted", b"PARE" + whole[4:-4] + b"PARE")


def bodies() -> None:
    for name, body in {
        "one": '{"inputs":["water in the street"]}',
        "many": json.dumps({"inputs": ["a", "é\n\0", ""]}),
        "none": '{"inputs":[]}',
        "wrong_type": '{"inputs":["a",1]}',
        "unknown_key": '{"inputs":["a"],"model":"x"}',
        "twice": '{"inputs":["a"],"inputs":["b"]}',
        "no_json": "inputs=a",
        "escapes": '{"inp\\u0075ts":["\\ud83d\\ude00\\u0000"]}',
        "lone_surrogate": '{"inputs":["\\ud83d"]}',
        "trailing": '{"inputs":["a"]} x',
        "deep": "[" * 300,
        "array": '[["a"]]',
    }.items():
        seed("predict_body", name, body)
    seed("predict_body", "invalid_utf8", b'{"inputs":["\xff"]}')
    seed("predict_body", "byte_order_mark", b'\xef\xbb\xbf{"inputs":["a"]}')
    known = KNOWN
    for name, body in {
        "one": json.dumps({"id": f"{known}.0", "label": "disaster"}),
        "request": json.dumps({"id": known, "label": "1"}),
        "many": json.dumps({"feedback": [{"id": f"{known}.0", "label": "other"}, {"id": f"{known.upper()}.0", "label": "0"}]}),
        "both": json.dumps({"id": known, "label": "1", "feedback": []}),
        "no_label": json.dumps({"id": known}),
        "no_id": '{"label":"1"}',
        "wrong_label": json.dumps({"id": known, "label": "no such label " * 20}),
        "wrong_id": '{"id":"7zzzzzzzzzzzzzzzzzzzzzzzzz.4294967295","label":"1"}',
        "too_large_index": json.dumps({"id": f"{known}.4294967296", "label": "1"}),
        "null": '{"id":null,"label":null,"feedback":null}',
        "wrong_item": '{"feedback":[{"id":"a"}]}',
        "empty": '{"feedback":[]}',
    }.items():
        seed("feedback_body", name, body)


def configurations() -> None:
    text = (ROOT / "sluice.toml").read_text()
    data = text[text.index("[data]") : text.index("[data.split]")]
    least = '[model]\nname = "m"\ntask = "text-classification"\n\n' + data
    seed("sluice_toml", "least", least)
    seed("sluice_toml", "unknown_key", least + "[gate]\nmetrik = 1\n")
    seed("sluice_toml", "wrong_type", least.replace('name = "m"', "name = 1979-05-27T07:32:00Z"))
    seed("sluice_toml", "regression-line_end_in_a_key", least + '"te\\nxt" = 1\n')
    seed("sluice_toml", "quoted_keys", least.replace("text = {", '"te\\nxt" = {'))
    seed("sluice_toml", "bad_schedule", least + '[schedules]\nretrain = "x"\n')
    seed("sluice_toml", "numbers", least + "[data.split]\ntest = inf\ncalibration = nan\nseed = -1\n")
    seed("sluice_toml", "retrain", least + '[retrain]\nmin_new_rows = 9223372036854775807\ncool_down = "P1Y"\n')
    seed("sluice_toml", "checks", least + '[data.checks]\nearliest = "2000-01-01T00:00:00Z"\nlatest = "1999-01-01T00:00:00Z"\n')
    seed("sluice_toml", "broken", '[model\nname = """')
    seed("sluice_toml", "dotted", "model.name = 'm'\nmodel.task = 'x'\ndata.columns.'a.b'.type = \"text\"\n")


def others() -> None:
    entries = {
        "sluice.format": "1",
        "sluice.task": "text-classification",
        "sluice.labels": '["other","disaster"]',
        "sluice.features": '{"bits":18,"max_ngram":2,"lowercase":true}',
        "sluice.calibration": '{"method":"temperature","temperature":1.25}',
    }
    seed("model_metadata", "good", json.dumps(entries))
    for name, key, value in [
        ("wide", "features", '{"bits":40}'),
        ("labels_twice", "labels", '["a","a"]'),
        ("regression-infinite", "calibration", '{"method":"temperature","temperature":1e39}'),
        ("minus", "calibration", '{"method":"temperature","temperature":-0.0}'),
        ("least", "features", "{}"),
        ("other_format", "format", "2"),
    ]:
        seed("model_metadata", name, json.dumps({**entries, f"sluice.{key}": value}))

    for name, text in {
        "plain": "Water in the street, send help",
        "spaces": "\u3000 A\u00a0\u2003b\t\n ",
        "compatible": "ℌ ﬁ ① Ａ ｱ ǅ ẛ̣ İ ΑΣ ß",
        "combining": "e\u0301\u0323 J\u030c \u0345 \u1100\u1161\u11a8",
        "emoji": "👩‍👩‍👧 🏳️‍🌈 http://t.co/x #tag @you",
        "digits_and_underscores": "a_b 1 22 _ __ x1",
        "right_to_left": "\u200fשלום \u202eabc",
    }.items():
        seed("text", name, text)

    for name, text in {
        "good": f"{KNOWN}.0",
        "request": KNOWN,
        "look_alikes": "O1M2ZRBYOOOOOOOOOILOOOOOOO.10",
        "largest": "7zzzzzzzzzzzzzzzzzzzzzzzzz.4294967295",
        "too_large": "8zzzzzzzzzzzzzzzzzzzzzzzzz.4294967296",
        "padded": f"{KNOWN}.00",
    }.items():
        seed("prediction_id", name, text)

    for name, text in {
        "plain": "messages/rows.csv",
        "folders": "messages/2026/11/a b+c.csv.gz",
        "umlaut": "messages/Übersicht\u0301.csv",
        "parent": "messages/../../etc",
        "absolute": "/etc/passwd",
        "dot": "messages/.hidden/x",
        "empty_part": "a//b",
        "long_part": "a/" + "x" * 256,
        "long": "a/" * 512,
        "backslash": "a\\b",
        "nul": "a\0b",
        "slash_at_end": "messages/",
        "four_bytes": "😀" * 64,
    }.items():
        seed("blob_name", name, text)

    digest = "sha256:" + "0" * 64
    line = '{"seq":1,"at":"1970-01-01T00:00:00Z","writer":"writer","nonce":"n","event":EVENT,"prev":null,"hash":"' + digest + '"}\n'
    seed("audit", "edited", line.replace("EVENT", '{"kind":"run_failed","run":"r","reason":"x"}'))
    seed("audit", "unknown_event", line.replace("EVENT", '{"kind":"later","x":1}'))
    seed("audit", "no_kind", line.replace("EVENT", "[]"))
    seed("audit", "far", line.replace("EVENT", "null").replace('"seq":1', '"seq":18446744073709551615'))
    seed("audit", "heads", line.replace("EVENT", '{"kind":"heads_witnessed","heads":[{"stream":"other","seq":18446744073709551615,"hash":"' + digest + '"}]}'))
    seed("audit", "torn", line[:80])
    seed("audit", "blank_lines", "\n\n")

    pointer = '=releases/current.json\n{"number":NUMBER}\n'
    card = '=models/messages/000001/model.json\n{}\n'
    seed("documents", "pointers", pointer.replace("NUMBER", "1") + '=datasets/messages/current.json\n{"version":3}\n')
    seed("documents", "regression-far_pointer", pointer.replace("NUMBER", "18446744073709551615"))
    seed("documents", "damaged", card + "=releases/000001.json\n{\n=runs/r.json\n[]\n=aborts/000001.json\n{}\n=audit/w/000000.jsonl\nx\n")
    seed("documents", "regression-far_segment", "=audit/fuzz/18446744073709551615.jsonl\nx\n")
    seed("documents", "regression-far_model", "=models/messages/18446744073709551615/model.json\n{}\n")


for write in (copies, envelopes, schedules, host_json, function_json, uploads, json_lines, parquet, bodies, configurations, others):
    write()
