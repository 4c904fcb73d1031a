-- SPDX-License-Identifier: MPL-2.0
-- capture: datagrams
-- covers: class
-- Classes with parents, computed fields, class methods.
local class = require("class")

local Animal = class.class("Animal")
function Animal.method:__init(name) self.own = name end
function Animal.method:say() return "I am " .. self.name end
Animal.property.name = { get = function (self) return self.own .. "!" end, set = function (self, v) self.own = v end }
local Dog = class.class("Dog", Animal)
function Dog.method:__init(name) class.super(Dog).__init(self, name) end
function Dog.method:say() return class.super(Dog).say(self) .. " wuff" end

local d = Dog:new("rex")
print(d:say(), class.isa(d, Animal), class.isa(Animal:new("x"), Dog), class.classof(d) == Dog, class.isclass(Dog), class.isaclass(Dog, Animal))
d.name = "bello"
local e = d:clone()
e.name = "other"
print(d:say(), e:say())
d:addproperty("double", function (self) return self.own .. self.own end)
print(d.double)
haka.rule{ on = haka.dissectors.udp.events.receive_packet, eval = function () end }
