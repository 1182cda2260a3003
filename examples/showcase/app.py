"""The application: which path leads to which handler."""

from __future__ import annotations

from examples.showcase import bodies, files, jobs, media, orders, streams, timing, turns
from heaven_core import App

app = App(lifespan=media.lifespan)

app.before("*", timing.before)
app.after("*", timing.after)

app.GET("/", files.index)
app.files("/page/*", files.PAGE, index=None)

app.GET("/text", bodies.text)
app.GET("/hello/:name", bodies.hello)
app.GET("/visit", bodies.visit)

app.POST("/orders", orders.order, expects=orders.Order, returns=orders.Receipt)

app.GET("/samples/*", files.sample)
app.GET("/download", files.download)

app.GET("/media/melody.wav", media.listen)
app.GET("/download/melody.wav", media.keep)

app.GET("/poem", streams.poem)
app.GET("/poem/:run:int", streams.outcome)
app.GET("/events", streams.events)

app.GET("/redirect", turns.redirect)
app.GET("/door", turns.door)
app.GET("/failure", turns.failure)

app.POST("/jobs", jobs.start)
app.GET("/jobs/:number:int", jobs.look)
