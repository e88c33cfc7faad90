def handler(event, context):
    name = event.get("name", "world")
    print(f"run {context.request_id} has {context.get_remaining_time_ms()} ms left")
    return {"greeting": f"Hello, {name}!"}
