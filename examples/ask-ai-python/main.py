import ai_client


def handler(event, context):
    question = event.get("question", "Why is the sky blue? Answer in one sentence.")
    return {"model": context.model_id, "answer": ai_client.generate(question)}
