wrk.method = "POST"
wrk.body = os.getenv("FORM")
wrk.headers["content-type"] = "application/x-www-form-urlencoded"
