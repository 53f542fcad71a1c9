-- Each assertion is good once.
local lines = {}
for line in io.lines(os.getenv("ASSERTIONS")) do lines[#lines + 1] = line end
local kind = "urn%3Aietf%3Aparams%3Aoauth%3Aclient-assertion-type%3Ajwt-bearer"
local next_line = 0
local headers = { ["content-type"] = "application/x-www-form-urlencoded" }
request = function()
  next_line = next_line + 1
  local body = "grant_type=client_credentials&client_assertion_type=" .. kind ..
    "&client_assertion=" .. (lines[next_line] or "none.are.left")
  return wrk.format("POST", nil, headers, body)
end
